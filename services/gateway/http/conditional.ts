/** RFC 9110 §13.1.2: whether the client holds what has this ETag. Weak or strong, what it stands for is the same. */
export const holds = (held: string | undefined, etag: string): boolean =>
  held?.split(',').some((one) => one.trim() === '*' || opaque(one.trim()) === opaque(etag)) ?? false;

const opaque = (etag: string) => etag.replace(/^W\//, '');
