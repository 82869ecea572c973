/** The default registry's name in a normalised reference, and the names people also write for it. */
export const defaultRegistry = 'docker.io';
const defaultRegistryAliases = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** An image reference in its parts, normalised as Docker does it. */
export type ImageReference = {
  /** Host, with port where one was given; `docker.io` where none was named. */
  registry: string;
  /** Path inside the registry; `library/` is added for the default registry's one-part names. */
  repository: string;
  tag: string | undefined;
  /** `sha256:…`; wins over the tag. */
  digest: string | undefined;
  /** What to hand to the engine: the reference as people write it, with `:latest` where nothing was said. */
  familiar: string;
};

// The grammar is that of the Distribution project's reference package: components of lower-case alphanumerics
// with single separators (`.`, `_`, `__`, or any number of `-`), a tag of up to 128 characters.
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const host =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestPattern = /^sha256:[a-f0-9]{64}$/;
const idPattern = /^(?:sha256:)?([a-f0-9]{64})$/;
/** As much of an id as `docker images` shows is one beside a name. What has the algorithm in front is read as one at any length. */
const beginningPattern = /^(?:sha256:([a-f0-9]{1,63})|([a-f0-9]{12,63}))$/;

/** Parses any reference that Docker accepts; `undefined` for anything else. */
export function parseImageReference(text: string): ImageReference | undefined {
  if (text.length > 512 || isImageId(text)) return undefined;
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !digestPattern.test(digest)) return undefined;
  const named = at < 0 ? text : text.slice(0, at);

  const slash = named.indexOf('/');
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !tagPattern.test(tag)) return undefined;
  const name = colon < 0 ? named : named.slice(0, colon);

  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasHost = first === 'localhost' || /[.:A-Z]/.test(first);
  const path = hasHost ? name.slice(slash + 1) : name;
  if (hasHost && !host.test(first)) return undefined;
  if (path.length === 0 || path.length > 255 || !path.split('/').every((part) => component.test(part)))
    return undefined;

  const registry = !hasHost || defaultRegistryAliases.has(first) ? defaultRegistry : first;
  const repository = registry === defaultRegistry && !path.includes('/') ? `library/${path}` : path;
  const suffix = digest !== undefined ? `@${digest}` : `:${tag ?? 'latest'}`;
  const shown = registry === defaultRegistry ? repository.replace(/^library\//, '') : `${registry}/${path}`;
  return { registry, repository, tag, digest, familiar: `${shown}${suffix}` };
}

/** Whether this is an image's whole id, with or without the algorithm in front: never a name (Docker refuses it as one). */
export const isImageId = (text: string): boolean => idPattern.test(text);

/**
 * The hex digits of an image's id, or of its beginning; `undefined` where it is none. What is no whole id may be a name all the
 * same, as in `cafe0123beef`: an engine looks for that first.
 */
export function imageIdIn(text: string): string | undefined {
  const [, whole] = idPattern.exec(text) ?? [];
  const [, behind, bare] = beginningPattern.exec(text) ?? [];
  return whole ?? behind ?? bare;
}

/** Whether that may be the image which is named so by its id. A name that looks like an id is one as long as it is on some node. */
export const mayBeIdOf = (text: string, { id, reference }: { id: string; reference: string }): boolean => {
  const digits = imageIdIn(text);
  return (
    digits !== undefined &&
    (id.startsWith(`sha256:${digits}`) || reference === parseImageReference(text)?.familiar)
  );
};

/** Whether a run or a service can name its image so. */
export const isImageName = (text: string): boolean =>
  isImageId(text) || parseImageReference(text) !== undefined;

/**
 * A reference with its default tag, as an engine wants it and names it; an id with its algorithm. What may be either is left as it
 * is: a tag would make a name of it.
 */
export function familiarName(reference: string): string {
  const [, id] = idPattern.exec(reference) ?? [];
  if (id !== undefined) return `sha256:${id}`;
  if (imageIdIn(reference) !== undefined) return reference;
  return parseImageReference(reference)?.familiar ?? reference;
}
