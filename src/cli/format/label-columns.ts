/** The columns that a list has for labels: all of them in one text, and a method for one, `{{.Label "key"}}`. */
export function labelColumns(labels: Readonly<Record<string, string>>): {
  readonly Labels: string;
  readonly Label: (key: unknown) => string;
} {
  const entries = Object.entries(labels);
  return {
    Labels: entries.map(([key, value]) => `${key}=${value}`).join(","),
    Label: (key) => new Map(entries).get(String(key)) ?? "",
  };
}
