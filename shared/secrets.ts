import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hkdfSync,
  randomBytes,
} from 'node:crypto';

/** Seals data at rest: AES-256-GCM (NIST SP 800-38D) under a key derived from `RUNLET_SECRET_KEY`. */
export type Sealer = {
  /** `context` binds the box to its place: a box moved to another key does not open. */
  seal(plain: string | Buffer[], context: string): Buffer;
  open(box: Buffer, context: string): string;
  openBytes(box: Buffer, context: string): Buffer;
  /** It has opened one: the key is that of this Runlet, so a box that does not open is broken, and will not open later either. */
  proven(): boolean;
};

const nonceBytes = 12;
const tagBytes = 16;

export function sealerFor(secretKey: string): Sealer {
  // An object, not bytes: Node would make one of them for each box, which is more work than to seal it.
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', secretKey, 'runlet', 'at-rest-v1', 32)));
  let opened = false;

  function openBytes(box: Buffer, context: string): Buffer {
    const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, nonceBytes))
      .setAAD(Buffer.from(context))
      .setAuthTag(box.subarray(nonceBytes, nonceBytes + tagBytes));
    // GCM is a stream: all of it is in the first part, and the end only says whether it is true.
    const plain = decipher.update(box.subarray(nonceBytes + tagBytes));
    decipher.final();
    opened = true;
    return plain;
  }

  return {
    proven: () => opened,
    seal(plain, context) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
      const body =
        typeof plain === 'string' ? [cipher.update(plain, 'utf8')] : plain.map((part) => cipher.update(part));
      cipher.final();
      return Buffer.concat([nonce, cipher.getAuthTag(), ...body]);
    },
    open: (box, context) => openBytes(box, context).toString('utf8'),
    openBytes,
  };
}

/** What is stored in the place of an API key or an Idempotency-Key: its SHA-256, in hex. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
