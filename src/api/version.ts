/** A version of the Engine API, `1.41`. */
export class ApiVersion {
  readonly major: number;
  readonly minor: number;

  constructor(major: number, minor: number) {
    this.major = major;
    this.minor = minor;
  }

  static parse(text: string): ApiVersion | undefined {
    const match = /^(\d{1,4})\.(\d{1,4})$/.exec(text);
    return match ? new ApiVersion(Number(match[1]), Number(match[2])) : undefined;
  }

  /** True when this version is `major.minor` or newer. */
  atLeast(major: number, minor: number): boolean {
    return this.major > major || (this.major === major && this.minor >= minor);
  }

  toString(): string {
    return `${this.major}.${this.minor}`;
  }
}

/** The newest released version in the reference, and the oldest that clients may speak. */
export const NEWEST_API = new ApiVersion(1, 55);
export const OLDEST_API = new ApiVersion(1, 24);
