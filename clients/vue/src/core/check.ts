/** What can be said of a recording before a byte of it is sent. */
import { TranscriptionError } from './errors'
import type { Messages } from './messages'
import { fill } from './messages'

/** What the service reads. Extensions too: some systems give .opus or .amr no type. */
export const ACCEPT = [
  'audio/*',
  'application/ogg',
  'video/mp4',
  'video/webm',
  'video/quicktime',
  'video/x-matroska',
  ...['.wav', '.mp3', '.m4a', '.ogg', '.oga', '.opus', '.flac', '.webm', '.aac', '.amr'],
  ...['.mp4', '.mkv', '.mov'],
].join(',')

/** What the service takes by default (ASR_MAX_UPLOAD_MB). */
export const MAX_BYTES = 2048 * 1024 * 1024

/** Throw a `format` error where the service would refuse the file. */
export function checkFile(
  file: Blob,
  limits: { accept: string; maxBytes: number },
  messages: Messages,
): void {
  const name = nameOf(file)
  const refuse = (code: string, message: string): never => {
    throw new TranscriptionError(message, { kind: 'format', code })
  }
  if (file.size === 0) refuse('empty_file', fill(messages.emptyFile, { name }))
  if (file.size > limits.maxBytes) {
    const [size, limit] = [inWords(file.size), inWords(limits.maxBytes)]
    refuse('body_too_large', fill(messages.tooLarge, { name, size, limit }))
  }
  if (!isAccepted(file, limits.accept)) {
    refuse('wrong_type', fill(messages.wrongType, { name }))
  }
}

/** Return whether a file is one of those that an `accept` attribute names. */
export function isAccepted(file: Blob, accept: string): boolean {
  const rules = accept
    .split(',')
    .map((rule) => rule.trim().toLowerCase())
    .filter(Boolean)
  const type = mediaType(file)
  const name = file instanceof File ? file.name.toLowerCase() : ''
  // Nothing is known of it: the service looks at its content.
  if (!rules.length || (!type && !name)) return true
  return rules.some((rule) => {
    if (rule.startsWith('.')) return name.endsWith(rule)
    return rule.endsWith('/*') ? type.startsWith(rule.slice(0, -1)) : type === rule
  })
}

/** Return the name under which a file is sent. */
export function nameOf(file: Blob): string {
  if (file instanceof File && file.name) return file.name
  const extensions: Record<string, string> = {
    'audio/webm': 'webm',
    'audio/mp4': 'm4a',
    'audio/ogg': 'ogg',
    'audio/wav': 'wav',
    'audio/mpeg': 'mp3',
  }
  const extension = extensions[mediaType(file)]
  return extension ? `recording.${extension}` : 'recording'
}

function mediaType(file: Blob): string {
  return (file.type.split(';')[0] ?? '').trim().toLowerCase()
}

function inWords(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1)
  const value = bytes / 1024 ** power
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[power]}`
}
