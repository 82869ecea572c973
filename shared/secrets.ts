import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hkdfSync,
  randomBytes,
} from 'node:crypto';

/** Encrypts stored data: AES-256-GCM (NIST SP 800-38D) with a key derived from `RUNLET_SECRET_KEY`. */
export type Sealer = {
  /** `context` binds a sealed box to its place: a box that is moved to another Redis key does not open there. */
  seal(plain: string | Buffer[], context: string): Buffer;
  open(box: Buffer, context: string): string;
  openBytes(box: Buffer, context: string): Buffer;
  /**
   * True once a box was opened. Then the secret key is the right one for this Runlet, so a box that does not open is broken and
   * will never open.
   */
  proven(): boolean;
};

const nonceBytes = 12;
const tagBytes = 16;

export function sealerFor(secretKey: string): Sealer {
  // A key object and not bytes: from bytes Node would make an object for each box, which is more work than the encryption.
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', secretKey, 'runlet', 'at-rest-v1', 32)));
  let opened = false;

  function openBytes(box: Buffer, context: string): Buffer {
    const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, nonceBytes))
      .setAAD(Buffer.from(context))
      .setAuthTag(box.subarray(nonceBytes, nonceBytes + tagBytes));
    // GCM is a stream cipher: `update` gives all of the text, and `final` only checks that it is authentic.
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

/** Stored instead of an API key or an Idempotency-Key: its SHA-256, in hex. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
