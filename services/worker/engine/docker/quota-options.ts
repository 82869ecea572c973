/** The options that have the Engine limit a container's root, or a volume. */
export const quotaOption = (bytes: number): Record<string, string> => ({ size: String(bytes) });

/** The size in such options; `null` where there is none in bytes, as when somebody wrote `64M`. */
export function quotaIn(options: Record<string, string> | null | undefined): number | null {
  const size = options?.size ?? '';
  return /^\d{1,15}$/.test(size) ? Number(size) : null;
}

/** Of an engine's text: its disk has no quotas; before Docker 20.10, or of another engine, no such option. */
export const saysNoQuotas = (text: string): boolean =>
  /storage-opt is supported only|no quota support|invalid option/i.test(text);
