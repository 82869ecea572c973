/** Whom a sandbox's programs are executed as. */
export type RunUser = { uid: number; gid: number };

/** runc's own; the kernel's is twice that. */
const maxId = 2 ** 31 - 2;

/** Reads the operator's `uid:gid`. Throws an Error on anything but two numbers above 0. */
export function parseUser(text: string): RunUser {
  const [, uid = 0, gid = 0] = (/^([1-9]\d{0,9}):([1-9]\d{0,9})$/.exec(text) ?? []).map(Number);
  if (uid === 0 || gid === 0 || uid > maxId || gid > maxId)
    throw new Error(
      `The sandboxes' user is "${text}": give it as uid:gid in numbers, and not root, as in 1000:1000`,
    );
  return { uid, gid };
}

/** As an engine, and the init, take it: names would be looked up in the image's own passwd file. */
export const userText = ({ uid, gid }: RunUser) => `${uid}:${gid}`;
