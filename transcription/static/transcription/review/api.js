/** Talks to the review API with the session of the page. */

const TIMEOUT_MS = 20_000;

/** What the service refused, or (status 0) that it could not be reached. */
export class ApiError extends Error {
  constructor(status, body = {}) {
    super(body.message ?? `status ${status}`);
    this.status = status;
    this.code = body.code ?? "";
    this.data = body.data ?? body;
  }
}

export class Api {
  /** `base`: the address of the transcription, with its last slash. */
  constructor(base, formToken) {
    this.base = base;
    this.formToken = formToken;
  }

  get(path, parameters = {}) {
    const query = new URLSearchParams(parameters).toString();
    return this.#ask(path + (query ? `?${query}` : ""), { method: "GET" });
  }

  /** `leaving`: the page is being closed; the browser sends it all the same. */
  post(path, body, { leaving = false } = {}) {
    return this.#ask(path, {
      method: "POST",
      body: JSON.stringify(body),
      keepalive: leaving,
      headers: { "Content-Type": "application/json", "X-CSRFToken": this.#csrfToken() },
    });
  }

  async #ask(path, options) {
    let response;
    try {
      response = await fetch(this.base + path, {
        credentials: "same-origin",
        cache: "no-store",
        ...options,
        headers: { Accept: "application/json", ...options.headers },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const body = response.status === 204 ? {} : await response.json();
      if (!response.ok) throw new ApiError(response.status, body);
      return body;
    } catch (error) {
      if (error instanceof ApiError) throw error;
      // A proxy's error page is no JSON, but its status counts.
      throw new ApiError(response && !response.ok ? response.status : 0, {
        message: String(error),
      });
    }
  }

  /** Who logs in again in another tab has a new token in the cookie, and the old one here. */
  #csrfToken() {
    const cookie = document.cookie.split("; ").find((one) => one.startsWith("csrftoken="));
    return cookie ? cookie.slice("csrftoken=".length) : this.formToken;
  }
}
