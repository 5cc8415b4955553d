/** The microphone as reactive state. */
import type { ComputedRef, Ref } from 'vue'
import { computed, onScopeDispose, ref } from 'vue'

export type RecorderProblem = 'insecure' | 'unsupported' | 'refused' | 'missing' | 'failed'

export interface UseRecorder {
  isRecording: Ref<boolean>
  /** 0 to 1: how loud it is now. */
  level: Ref<number>
  seconds: ComputedRef<number>
  problem: Ref<{ kind: RecorderProblem; reason: string } | null>
  start: () => Promise<void>
  /** Resolves with what was recorded; null: nothing was. */
  stop: () => Promise<File | null>
  discard: () => void
}

/** Chrome and Firefox write WebM, Safari MP4. */
const TYPES = ['audio/webm;codecs=opus', 'audio/mp4', 'audio/ogg;codecs=opus']
const EXTENSIONS: Record<string, string> = { 'audio/webm': 'webm', 'audio/mp4': 'm4a', 'audio/ogg': 'ogg' }
const LEVEL_PAUSE_MS = 80
/** What has been said so far is kept in pieces of this length. */
const PIECE_MS = 1_000

interface Running {
  recorder: MediaRecorder
  stream: MediaStream
  context: AudioContext
  timer: ReturnType<typeof setInterval>
  pieces: Blob[]
  isWanted: boolean
  over: Promise<File | null>
}

export function useRecorder(): UseRecorder {
  const isRecording = ref(false)
  const level = ref(0)
  const milliseconds = ref(0)
  const problem: UseRecorder['problem'] = ref(null)
  let running: Running | null = null
  let isGone = false

  async function start(): Promise<void> {
    if (running) return
    problem.value = null
    if (!navigator.mediaDevices) return fail(isSecureContext ? 'unsupported' : 'insecure')
    if (typeof MediaRecorder === 'undefined') return fail('unsupported')
    let stream: MediaStream
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true })
    } catch (error) {
      const { name, message } = error as DOMException
      const kinds: Record<string, RecorderProblem> = {
        NotAllowedError: 'refused',
        SecurityError: 'refused',
        NotFoundError: 'missing',
      }
      return fail(kinds[name] ?? 'failed', message)
    }
    // The page was left, or it was clicked twice, while the browser asked.
    if (isGone || running) {
      stopTracks(stream)
      return
    }
    try {
      running = begin(stream)
    } catch (error) {
      stopTracks(stream)
      return fail('failed', (error as Error).message)
    }
    isRecording.value = true
  }

  function begin(stream: MediaStream): Running {
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type))
    const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {})
    const context = new AudioContext()
    const analyser = context.createAnalyser()
    context.createMediaStreamSource(stream).connect(analyser)
    const samples = new Float32Array(analyser.fftSize)
    const startedAt = Date.now()
    milliseconds.value = 0
    const pieces: Blob[] = []
    const one: Omit<Running, 'over'> = {
      recorder,
      stream,
      context,
      pieces,
      isWanted: true,
      timer: setInterval(() => {
        analyser.getFloatTimeDomainData(samples)
        level.value = loudness(samples)
        milliseconds.value = Date.now() - startedAt
      }, LEVEL_PAUSE_MS),
    }
    recorder.ondataavailable = (event): void => {
      if (event.data.size) pieces.push(event.data)
    }
    // Also when the microphone is pulled out: what was said until then is kept.
    const over = new Promise<File | null>((resolve) => {
      recorder.onstop = (): void => {
        cleanUp(one)
        resolve(one.isWanted ? fileOf(pieces, recorder.mimeType) : null)
      }
    })
    recorder.start(PIECE_MS)
    return Object.assign(one, { over })
  }

  function cleanUp(one: Omit<Running, 'over'>): void {
    clearInterval(one.timer)
    stopTracks(one.stream)
    void one.context.close()
    level.value = 0
    isRecording.value = false
  }

  async function stop(): Promise<File | null> {
    const one = running
    if (!one) return null
    running = null
    if (one.recorder.state !== 'inactive') one.recorder.stop()
    return one.over
  }

  function discard(): void {
    if (!running) return
    running.isWanted = false
    void stop()
  }

  function fail(kind: RecorderProblem, reason = ''): void {
    problem.value = { kind, reason }
  }

  onScopeDispose(() => {
    isGone = true
    discard()
  })

  return {
    isRecording,
    level,
    seconds: computed(() => Math.floor(milliseconds.value / 1000)),
    problem,
    start,
    stop,
    discard,
  }
}

/** Return the loudness of samples from -1 to 1 as a figure from 0 (60 dB down) to 1. */
export function loudness(samples: Float32Array): number {
  let sum = 0
  for (const sample of samples) sum += sample * sample
  const decibels = 10 * Math.log10(sum / samples.length + 1e-12)
  return Math.min(Math.max(1 + decibels / 60, 0), 1)
}

function fileOf(pieces: Blob[], mimeType: string): File | null {
  if (!pieces.length) return null
  const type = mimeType || pieces[0]?.type || ''
  const extension = EXTENSIONS[type.split(';')[0] ?? ''] ?? 'webm'
  const moment = new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-')
  return new File(pieces, `recording-${moment}.${extension}`, { type })
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop()
}
