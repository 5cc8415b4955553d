import type { ChangeEvent } from 'react'
import { cachedToken } from '@asr/vue/core'
import { useTranscription } from './useTranscription'

// Your server answers with what POST /api/v1/browser-token/ gave it.
const getToken = cachedToken(async () => {
  const answer = await fetch('/asr-token', { method: 'POST' })
  if (!answer.ok) throw new Error(`No token: ${answer.status}`)
  return answer.json()
})

const KINDS = { network: 'Network', service: 'Service', format: 'Recording' }

export function Uploader() {
  const { state, isRunning, start, cancel, retry } = useTranscription({
    baseUrl: 'https://asr.example.com',
    getToken,
  })
  const choose = (event: ChangeEvent<HTMLInputElement>) => {
    const file = event.target.files?.[0]
    if (file) void start(file, { language: 'en' })
  }
  return (
    <section>
      <label>
        Recording <input type="file" accept="audio/*" onChange={choose} disabled={isRunning} />
      </label>
      <p role="status">
        {state.status === 'uploading' && `Sending ${Math.round(state.uploadProgress * 100)}%`}
        {state.status === 'queued' && 'Waiting for its turn'}
        {state.status === 'processing' && `Transcribing ${Math.round(state.progress * 100)}%`}
        {state.status === 'completed' && 'Done'}
      </p>
      {state.error && (
        <p role="alert">
          {KINDS[state.error.kind]}: {state.error.message}
        </p>
      )}
      <p lang={state.language ?? undefined}>{state.text}</p>
      {isRunning && <button onClick={() => void cancel()}>Cancel</button>}
      {state.status === 'failed' && state.error?.kind !== 'format' && (
        <button onClick={() => void retry()}>Try again</button>
      )}
    </section>
  )
}
