/** Of the page of metrics. */
export const METRICS_TYPE = "text/plain; version=0.0.4";

/** Upper bounds of the classes of request durations, seconds. */
const BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];

/** A value that is asked for when the page is made. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly read: () => number;
}

export interface RequestFacts {
  /** The kind of thing it was about: never a name that a client chose. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
  readonly received: number;
  readonly sent: number;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Counts what the server does, and writes it in the text form of Prometheus, version 0.0.4. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, { readonly counts: number[]; sum: number; count: number }>();
  readonly #gauges: Gauge[] = [];
  #received = 0;
  #sent = 0;
  #active = 0;

  constructor() {
    this.gauge("bytes_received_total", "Bytes of request bodies.", () => this.#received, "counter");
    this.gauge("bytes_sent_total", "Bytes of response bodies.", () => this.#sent, "counter");
    this.gauge("requests_in_flight", "Requests being answered.", () => this.#active);
  }

  gauge(name: string, help: string, read: () => number, type: "gauge" | "counter" = "gauge"): void {
    this.#gauges.push({ name: `darse_registry_${name}`, help, type, read });
  }

  begun(): void {
    this.#active++;
  }

  ended({ route, method, status, seconds, received, sent }: RequestFacts): void {
    this.#active--;
    this.#received += received;
    this.#sent += sent;
    const known = METHODS.includes(method) ? method : "other";
    const key = `{route="${route}",method="${known}",status="${status}"}`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    const durations = this.#durations.get(route) ?? { counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
    this.#durations.set(route, durations);
    BUCKETS.forEach((bound, index) => {
      if (seconds <= bound) durations.counts[index] = (durations.counts[index] ?? 0) + 1;
    });
    durations.sum += seconds;
    durations.count++;
  }

  /** The page of `/metrics`. */
  text(): string {
    const requests = "darse_registry_requests_total";
    const durations = "darse_registry_request_seconds";
    return [
      ...this.#gauges.flatMap(({ name, help, type, read }) => [
        ...head(name, help, type),
        `${name} ${read()}`,
      ]),
      ...head(requests, "Requests answered.", "counter"),
      ...[...this.#requests].map(([key, count]) => `${requests}${key} ${count}`),
      ...head(durations, "From request to the end of its answer.", "histogram"),
      ...[...this.#durations].flatMap(([route, { counts, sum, count }]) => [
        ...BUCKETS.map(
          (bound, index) => `${durations}_bucket{route="${route}",le="${bound}"} ${counts[index]}`,
        ),
        `${durations}_bucket{route="${route}",le="+Inf"} ${count}`,
        `${durations}_sum{route="${route}"} ${sum}`,
        `${durations}_count{route="${route}"} ${count}`,
      ]),
      "",
    ].join("\n");
  }
}

function head(name: string, help: string, type: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}
