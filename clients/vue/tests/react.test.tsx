import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { act, StrictMode } from 'react'
import type { Root } from 'react-dom/client'
import { createRoot } from 'react-dom/client'
import { Uploader } from '../../react/Uploader'
import {
  ACCEPTED,
  CREATE,
  detail,
  end,
  EVENTS,
  EventStream,
  FakeService,
  progress,
  READ,
  recording,
  refusal,
  segment,
} from './service'

let service: FakeService
let root: Root
let page: HTMLElement

beforeEach(async () => {
  service = new FakeService()
  service.install()
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  service.on('POST /asr-token', {
    status: 200,
    body: { token: 'asrb_1', expires_in_seconds: 900 },
  })
  page = document.body.appendChild(document.createElement('div'))
  root = createRoot(page)
  await act(() =>
    root.render(
      <StrictMode>
        <Uploader />
      </StrictMode>,
    ),
  )
})
afterEach(async () => {
  await act(() => root.unmount())
  vi.unstubAllGlobals()
})

async function choose(file: File): Promise<void> {
  const input = page.querySelector('input') as HTMLInputElement
  Object.defineProperty(input, 'files', { value: [file], configurable: true })
  await act(async () => input.dispatchEvent(new Event('change', { bubbles: true })))
}

const shows = (words: string) =>
  vi.waitFor(async () => {
    await act(async () => undefined)
    expect(page.textContent).toContain(words)
  })

describe('the hook for React', () => {
  it('shows the text as it grows', async () => {
    const events = new EventStream(progress('processing', 0.5), segment(0, 'Hello there.'))
    service.on(CREATE, ACCEPTED).on(EVENTS, { status: 200, stream: events }).on(READ, detail())
    await choose(recording())
    await shows('Transcribing 50%')
    await shows('Hello there.')
    events.write(end())
    await shows('Done')
    expect(page.textContent).toContain('Hello there. How are you?')
    expect(service.calls(CREATE)[0]?.headers.get('Authorization')).toBe('Bearer asrb_1')
  })

  it('tells errors by their kind', async () => {
    service.on(CREATE, refusal(403, 'permission_denied'))
    await choose(recording())
    await shows('Service: Words of permission_denied.')
    await choose(recording('letter.pdf', 'application/pdf'))
    await shows('Recording: “letter.pdf” is not a recording')
  })

  it('leaves what runs when its component is taken away', async () => {
    const events = new EventStream(progress('processing', 0.5))
    service.on(CREATE, ACCEPTED).on(EVENTS, { status: 200, stream: events })
    await choose(recording())
    await shows('Transcribing 50%')
    await act(() => root.render(<p>Another page</p>))
    await vi.waitFor(() => expect(events.isCancelled).toBe(true))
  })
})
