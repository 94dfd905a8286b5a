/** Standard input. */
export interface Input extends AsyncIterable<Uint8Array> {
  readonly isTerminal: boolean;
  /** Turns raw mode on; dispose to put the terminal back. */
  raw(): Disposable;
  /** Rows and columns of the terminal; `undefined` when there is none. */
  size(): { readonly rows: number; readonly columns: number } | undefined;
}
