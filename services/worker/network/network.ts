/** The network that a container is in, and the resolvers that it is told of. */
export type SandboxNetwork = { name: string; dns: string[] };
