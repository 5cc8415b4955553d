/** All that knows no framework: for React, for plain pages, for tests. */
export { ACCEPT, checkFile, isAccepted, MAX_BYTES } from './check'
export type { ErrorKind, LocalCode } from './errors'
export { FORMAT_CODES, TranscriptionError } from './errors'
export type { StartOptions } from './job'
export { TranscriptionJob } from './job'
export type { Locale, Messages } from './messages'
export { fill, MESSAGES, messagesFor } from './messages'
export type {
  DownloadFormat,
  ServiceSettings,
  Submission,
  Transcription,
  TranscriptionDetail,
} from './service'
export { Service } from './service'
export type { ServerEvent } from './sse'
export { EventParser, readEvents } from './sse'
export type { JobSettings, Status, Timing, TranscriptionState } from './state'
export type { LiveSegment } from './text'
export { joinSegments } from './text'
export type { BrowserToken, TokenProvider } from './tokens'
export { cachedToken, requestBrowserToken } from './tokens'
