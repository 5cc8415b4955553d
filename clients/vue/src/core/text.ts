/** The text so far, made of segments as they come. The service writes the final one itself. */

export interface LiveSegment {
  start_seconds: number
  end_seconds: number
  text: string
  language: string | null
}

/** Characters of scripts that are written without spaces between words. */
const UNSPACED = /[\u0E00-\u0EFF\u1000-\u109F\u3000-\u30FF\u3400-\u9FFF\uF900-\uFAFF\uFF00-\uFFEF]/

/** Join segments in the order of their times: with a space where the script has one. */
export function joinSegments(segments: Iterable<LiveSegment>): string {
  let text = ''
  for (const segment of [...segments].sort((a, b) => a.start_seconds - b.start_seconds)) {
    const next = segment.text.trim()
    if (!next) continue
    const isTight = UNSPACED.test(text.slice(-1)) || UNSPACED.test(next.charAt(0))
    text += text && !isTight ? ` ${next}` : next
  }
  return text
}
