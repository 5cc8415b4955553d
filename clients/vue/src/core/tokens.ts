/** Tokens for web pages. An API token never belongs into a page: whoever opens it can read it. */
import createClient from 'openapi-fetch'
import type { components, paths } from '../schema'
import { errorOfAnswer } from './errors'
import { MESSAGES } from './messages'

export type BrowserToken = components['schemas']['NewBrowserToken']

/** Returns a token; `refresh`: the service did not accept the last one. null: none is needed. */
export type TokenProvider = (asked: {
  refresh: boolean
}) => string | null | undefined | Promise<string | null | undefined>

/** A token is renewed so long before its end, so that a request in flight outlives it. */
const MARGIN_MS = 30_000

/**
 * Return a provider that keeps a browser token for as long as it holds.
 *
 * `fetchToken` asks the page's own server, which has the API token. All tokens of a visitor must
 * be for the same `subject`: with another one, his recordings are not there.
 */
export function cachedToken(
  fetchToken: () => Promise<Pick<BrowserToken, 'token' | 'expires_in_seconds'>>,
): TokenProvider {
  let kept: { token: string; endsAt: number } | null = null
  let asking: Promise<string> | null = null

  const ask = async (): Promise<string> => {
    const made = await fetchToken()
    kept = { token: made.token, endsAt: Date.now() + made.expires_in_seconds * 1000 - MARGIN_MS }
    return made.token
  }
  return ({ refresh }) => {
    if (!refresh && kept && Date.now() < kept.endsAt) return kept.token
    asking ??= ask().finally(() => {
      asking = null
    })
    return asking
  }
}

/**
 * Make a browser token by `POST /api/v1/browser-token/`: for a page's server (with `apiToken`),
 * or for a page of the service's own origin (with its session and `csrfToken`).
 */
export async function requestBrowserToken(options: {
  baseUrl: string
  /** An id of your own for the person at the browser. */
  subject: string
  apiToken?: string
  csrfToken?: string
}): Promise<BrowserToken> {
  const client = createClient<paths>({ baseUrl: options.baseUrl })
  const { data, error, response } = await client.POST('/api/v1/browser-token/', {
    body: { subject: options.subject },
    headers: {
      ...(options.apiToken && { Authorization: `Bearer ${options.apiToken}` }),
      ...(options.csrfToken && { 'X-CSRFToken': options.csrfToken }),
    },
  })
  if (data) return data
  const header = (name: string): string | null => response.headers.get(name)
  throw errorOfAnswer({ status: response.status, header, body: error }, MESSAGES.en)
}
