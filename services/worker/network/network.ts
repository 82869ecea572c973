/** A network that was made for one container. */
export type SandboxNetwork = { name: string; dns: string[] };
