/** Reads the operator's `uid:gid`. Throws an Error on anything but two numbers above 0. */
export function parseUser(text: string): { uid: number; gid: number } {
  const [, uid, gid] = /^([1-9]\d{0,8}):([1-9]\d{0,8})$/.exec(text) ?? [];
  if (uid === undefined || gid === undefined)
    throw new Error(
      `The sandboxes' user is "${text}": give it as uid:gid in numbers, and not root, as in 1000:1000`,
    );
  return { uid: Number(uid), gid: Number(gid) };
}
