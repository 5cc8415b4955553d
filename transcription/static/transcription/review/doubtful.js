/** Words that the engine was not sure of, as long as nobody has changed them. */

export const DOUBTFUL_BELOW = 0.5;

/** The doubtful words of a segment that still stand in its text: [{start, end, word, at}]. */
export function doubtfulIn(segment) {
  const found = [];
  let from = 0;
  for (const one of segment.words ?? []) {
    const word = one.word.trim();
    if (!word) continue;
    const start = segment.text.indexOf(word, from);
    if (start < 0) continue;
    from = start + word.length;
    if (one.probability !== null && one.probability < DOUBTFUL_BELOW) {
      found.push({ start, end: from, word, at: one.start });
    }
  }
  return found;
}

/** When the word at this place of the text was said; the segment's start where it is unknown. */
export function timeAt(segment, offset) {
  let from = 0;
  let time = segment.start;
  for (const one of segment.words ?? []) {
    const word = one.word.trim();
    const start = segment.text.indexOf(word, from);
    if (!word || start < 0) continue;
    if (start > offset) break;
    from = start + word.length;
    time = one.start;
  }
  return time;
}
