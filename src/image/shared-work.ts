/** Work that several callers may ask for at once and that is done once. It is stopped when the last of them leaves. */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  /**
   * Starts `work` or joins the one that runs under `key`. A caller whose signal fires leaves at once; the last one to
   * leave stops the work and waits until it has cleaned up.
   */
  async run(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    let running = this.#running.get(key);
    while (running?.stop.signal.aborted) {
      await running.result.catch(() => undefined);
      signal.throwIfAborted();
      running = this.#running.get(key);
    }
    running ??= this.#start(key, work);
    running.callers++;
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([running.result, left.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
      running.callers--;
      if (running.callers === 0) {
        running.stop.abort(signal.reason);
        await running.result.catch(() => undefined);
      }
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const stop = new AbortController();
    const result = work(stop.signal).finally(() => this.#running.delete(key));
    const running = { stop, result, callers: 0 };
    this.#running.set(key, running);
    return running;
  }
}

interface Running<T> {
  readonly stop: AbortController;
  readonly result: Promise<T>;
  callers: number;
}
