/** What we call ourselves on the wire and on the screen. */
export const PRODUCT = "Darse";
export const VERSION = "0.1.0";
