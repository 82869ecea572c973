/** The default registry's name in a normalised reference; below it, other names that people write for it. */
export const defaultRegistry = 'docker.io';
const defaultRegistryAliases = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** The parts of an image reference, normalised as Docker does it. */
export type ImageReference = {
  /** The host, with its port if one was given; `docker.io` if no host was given. */
  registry: string;
  /** Path inside the registry; `library/` is added for the default registry's one-part names. */
  repository: string;
  tag: string | undefined;
  /** `sha256:…`. If it is set, the tag is ignored. */
  digest: string | undefined;
  /** The reference to give to the engine: as people write it, with `:latest` if it has no tag and no digest. */
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
/**
 * The beginning of an id. Without `sha256:` it needs at least as many digits as `docker images` shows, because it may also be a
 * name. With `sha256:` any length is read as an id.
 */
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

/** True for the whole id of an image, with or without `sha256:`. Such a text is never a name: Docker refuses it as one. */
export const isImageId = (text: string): boolean => idPattern.test(text);

/**
 * The hex digits of an image's id, or of its beginning; `undefined` if the text is neither. A text that is not a whole id may
 * also be a name, as in `cafe0123beef`. An engine looks for the name first.
 */
export function imageIdIn(text: string): string | undefined {
  const [, whole] = idPattern.exec(text) ?? [];
  const [, behind, bare] = beginningPattern.exec(text) ?? [];
  return whole ?? behind ?? bare;
}

/**
 * True if the text may name this image by its id. A text that looks like an id is also compared with the image's name, because
 * it is a name if a node has an image with that name.
 */
export const mayBeIdOf = (text: string, { id, reference }: { id: string; reference: string }): boolean => {
  const digits = imageIdIn(text);
  return (
    digits !== undefined &&
    (id.startsWith(`sha256:${digits}`) || reference === parseImageReference(text)?.familiar)
  );
};

/** True if a run or a service can name its image like this. */
export const isImageName = (text: string): boolean =>
  isImageId(text) || parseImageReference(text) !== undefined;

/**
 * A reference with its default tag, in the form that an engine expects and uses; an id with `sha256:` in front. A text that may
 * be an id or a name is not changed: with a tag it could only be a name.
 */
export function familiarName(reference: string): string {
  const [, id] = idPattern.exec(reference) ?? [];
  if (id !== undefined) return `sha256:${id}`;
  if (imageIdIn(reference) !== undefined) return reference;
  return parseImageReference(reference)?.familiar ?? reference;
}
