import { describe, expect, it } from 'vitest'
import type { ServerEvent } from '../src/core'
import { EventParser, joinSegments, readEvents } from '../src/core'
import { StreamSilent } from '../src/core/sse'
import { EventStream } from './service'

const WIRE =
  '\uFEFFretry: 2000\n\n: keep-alive\n\nid: 16000.0a\nevent: segment\ndata: {"text": "你好,"}\n\n' +
  'event:end\r\ndata: one\r\ndata:two\r\n\r\ndata\rid: bad\0id\r\rid\n\nignored: x\ndata: unfinished'

const EVENTS: ServerEvent[] = [
  { name: 'segment', data: '{"text": "你好,"}', id: '16000.0a' },
  { name: 'end', data: 'one\ntwo', id: '16000.0a' },
  { name: 'message', data: '', id: '16000.0a' },
]

describe('the stream of events', () => {
  it('gives the same events however it is cut', () => {
    for (let size = 1; size <= WIRE.length; size += 1) {
      const parser = new EventParser()
      const events: ServerEvent[] = []
      for (let at = 0; at < WIRE.length; at += size) {
        events.push(...parser.push(WIRE.slice(at, at + size)))
      }
      expect(events, `cut into pieces of ${size}`).toEqual(EVENTS)
      expect(parser.retryMs).toBe(2000)
    }
  })

  it('puts characters together that are cut in the midst of their bytes', async () => {
    const bytes = new TextEncoder().encode('data: 识别\n\n')
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]))
        controller.close()
      },
    })
    const seen = []
    for await (const event of readEvents(stream, reading())) seen.push(event.data)
    expect(seen).toEqual(['识别'])
  })

  it('is given up when nothing comes, and its connection is let go', async () => {
    const stream = new EventStream()
    const events = readEvents(stream.readable, { ...reading(), silenceMs: 5 })
    await expect(events.next()).rejects.toBeInstanceOf(StreamSilent)
    expect(stream.isCancelled).toBe(true)
  })

  it('ends at once when it is stopped', async () => {
    const controller = new AbortController()
    const stream = new EventStream()
    const next = readEvents(stream.readable, { ...reading(), signal: controller.signal }).next()
    controller.abort()
    await expect(next).rejects.toThrow()
    expect(stream.isCancelled).toBe(true)
  })
})

describe('the text so far', () => {
  const at = (start_seconds: number, text: string) => ({
    start_seconds,
    end_seconds: start_seconds + 1,
    text,
    language: null,
  })

  it('follows the times of the segments and not the order in which they come', () => {
    expect(joinSegments([at(5, 'you?'), at(0, 'How '), at(2, 'are')])).toBe('How are you?')
  })

  it('has no spaces between Chinese sentences', () => {
    expect(joinSegments([at(0, '今天讨论。'), at(1, '明天继续。'), at(2, ' ')])).toBe(
      '今天讨论。明天继续。',
    )
  })
})

function reading() {
  return {
    signal: new AbortController().signal,
    firstBytesMs: 5_000,
    silenceMs: 5_000,
    onRetry: () => undefined,
  }
}
