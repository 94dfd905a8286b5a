/** A request form of a complete wire type: every field may be left out, as Go's decoder allows. */
export type Sparse<T> = { readonly [K in keyof T]?: T[K] | undefined };
