import { Fields } from "#base/decode.ts";

/** What a push tells beside its progress: that less than the whole image could be pushed. Docker's `auxprogress`. */
export class PushNotes {
  readonly lines: string[] = [];

  /** @param aux the `aux` of a progress line, of whatever kind */
  take(aux: unknown): void {
    const fields = new Fields(aux);
    if (fields.boolean("manifestPushedInsteadOfIndex")) {
      const from = fields.object("originalIndex").string("digest") ?? "";
      const to = fields.object("selectedManifest").string("digest") ?? "";
      this.lines.push(
        `Not all multiplatform-content is present and only the available single-platform image was pushed\n${from} -> ${to}`,
      );
    }
    if (fields.boolean("contentMissing")) {
      this.lines.push(
        "The image is for several platforms, and not all of them are here or at the registry.\n" +
          "Pull the rest first, or push one platform alone by --platform.",
      );
    }
  }
}
