/** A transcription as reactive state. */
import type { ComputedRef, MaybeRefOrGetter, ShallowRef } from 'vue'
import { computed, onScopeDispose, readonly, shallowRef, toValue } from 'vue'
import type {
  DownloadFormat,
  JobSettings,
  StartOptions,
  TranscriptionState,
} from './core'
import { TranscriptionJob } from './core'

export interface UseTranscription {
  /** All of it; replaced at every change. */
  state: Readonly<ShallowRef<TranscriptionState>>
  isRunning: ComputedRef<boolean>
  /** Resolves when it is over; never rejects: errors are in the state. */
  start: (file: Blob, options?: StartOptions) => Promise<TranscriptionState>
  /** Follow what was sent in before. */
  resume: (id: string) => Promise<TranscriptionState>
  cancel: () => Promise<void>
  retry: () => Promise<TranscriptionState>
  /** Read the transcript and hand it to the browser as a download. */
  save: (format: DownloadFormat) => Promise<void>
  reset: () => void
}

/** Follow one recording at a time; what runs is left when the component is unmounted. */
export function useTranscription(settings: MaybeRefOrGetter<JobSettings>): UseTranscription {
  const job = new TranscriptionJob(() => toValue(settings))
  const state = shallowRef(job.state)
  job.subscribe((next) => {
    state.value = next
  })
  onScopeDispose(() => job.dispose())

  return {
    state: readonly(state) as Readonly<ShallowRef<TranscriptionState>>,
    isRunning: computed(() => ['uploading', 'queued', 'processing'].includes(state.value.status)),
    start: (file, options) => job.start(file, options),
    resume: (id) => job.resume(id),
    cancel: () => job.cancel(),
    retry: () => job.retry(),
    save: async (format) => {
      const { blob, fileName } = await job.download(format)
      const link = document.createElement('a')
      link.href = URL.createObjectURL(blob)
      link.download = fileName
      link.click()
      // Not at once: the browser reads it after this turn.
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
    },
    reset: () => job.reset(),
  }
}
