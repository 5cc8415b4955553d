/** A transcription as the state of a React component. */
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import type { JobSettings, StartOptions, TranscriptionState } from '@asr/vue/core'
import { TranscriptionJob } from '@asr/vue/core'

export interface UseTranscription {
  /** A new object at every change: status, progress, text, error and more. */
  state: TranscriptionState
  isRunning: boolean
  /** Resolves when it is over; never rejects: errors are in the state. */
  start: (file: Blob, options?: StartOptions) => Promise<TranscriptionState>
  cancel: () => Promise<void>
  retry: () => Promise<TranscriptionState>
  reset: () => void
}

/** Follow one recording at a time; what runs is left when the component is unmounted. */
export function useTranscription(settings: JobSettings): UseTranscription {
  const latest = useRef(settings)
  useEffect(() => {
    latest.current = settings
  })
  const job = useMemo(() => new TranscriptionJob(() => latest.current), [])
  const subscribe = useCallback((tell: () => void) => job.subscribe(tell), [job])
  const state = useSyncExternalStore(subscribe, () => job.state)
  // Not dispose: in its strict mode React takes a component away and puts it back.
  useEffect(() => () => job.reset(), [job])

  return {
    state,
    isRunning: ['uploading', 'queued', 'processing'].includes(state.status),
    start: (file, options) => job.start(file, options),
    cancel: () => job.cancel(),
    retry: () => job.retry(),
    reset: () => job.reset(),
  }
}
