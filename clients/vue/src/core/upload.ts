/** Sends a form by XMLHttpRequest: fetch does not tell how much has been sent. */
import type { Answer } from './errors'

export interface Upload {
  url: string
  form: FormData
  headers: Record<string, string>
  signal: AbortSignal
  /** 0 to 1. */
  onProgress: (share: number) => void
}

/** Resolve with whatever the service answers; reject with `TypeError` where nothing came back. */
export function upload({ url, form, headers, signal, onProgress }: Upload): Promise<Answer> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const request = new XMLHttpRequest()
    const stop = (): void => request.abort()
    const end = (settle: () => void) => (): void => {
      signal.removeEventListener('abort', stop)
      settle()
    }
    request.open('POST', url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.onprogress = (event): void => {
      if (event.lengthComputable && event.total > 0) onProgress(event.loaded / event.total)
    }
    request.onload = end(() =>
      resolve({
        status: request.status,
        header: (name) => request.getResponseHeader(name),
        body: parsed(request.responseText),
      }),
    )
    request.onerror = end(() => reject(new TypeError('The upload failed')))
    request.ontimeout = end(() => reject(new TypeError('The upload took too long')))
    request.onabort = end(() => reject(new DOMException('The upload was stopped', 'AbortError')))
    signal.addEventListener('abort', stop, { once: true })
    request.send(form)
  })
}

/** Return the JSON in a text; undefined where it is none, as the pages of proxies are. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
