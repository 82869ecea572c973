export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

/** One thing looked at; what is not ok says what to do. */
export type Check = { name: string; status: CheckStatus; detail: string; remedy: string | null };

export function ok(name: string, detail: string): Check {
  return { name, status: 'ok', detail, remedy: null };
}

export function warning(name: string, detail: string, remedy: string): Check {
  return { name, status: 'warning', detail, remedy };
}

export function failed(name: string, detail: string, remedy: string): Check {
  return { name, status: 'failed', detail, remedy };
}

/** Not looked at, because something before it failed. */
export function skipped(name: string, detail: string): Check {
  return { name, status: 'skipped', detail, remedy: null };
}
