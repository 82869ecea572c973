export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

/** The result of one check. If it is not ok, `remedy` says what to do. */
export type Check = {
  name: string;
  status: CheckStatus;
  detail: string;
  remedy: string | null;
  /** What a published advisory is about, such as `runc 1.1.4`. There may be many of one version. */
  advised?: string;
};

export function ok(name: string, detail: string): Check {
  return { name, status: 'ok', detail, remedy: null };
}

export function warning(name: string, detail: string, remedy: string): Check {
  return { name, status: 'warning', detail, remedy };
}

export function failed(name: string, detail: string, remedy: string): Check {
  return { name, status: 'failed', detail, remedy };
}

/** A check that was not made because an earlier one failed. */
export function skipped(name: string, detail: string): Check {
  return { name, status: 'skipped', detail, remedy: null };
}
