/** Under which credentials of Docker Hub are kept, whatever its name is spelled like. */
export const HUB_KEY = "https://index.docker.io/v1/";

/** Under which credentials for an image's domain are kept. */
export function keyOfDomain(domain: string): string {
  return domain === "docker.io" || domain === "index.docker.io" ? HUB_KEY : domain;
}

/** `https://host:5000/v2/` → `host:5000`: how old files wrote addresses, and people still type them. */
export function hostOfAddress(address: string): string {
  return address.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").replace(/\/.*$/s, "");
}

/** The domain that a search term begins with; Docker Hub's when it begins with none. */
export function domainOfTerm(term: string): string {
  const [first = "", rest] = term.split("/", 2);
  return rest !== undefined && (/[.:]/.test(first) || first === "localhost") ? first : "docker.io";
}
