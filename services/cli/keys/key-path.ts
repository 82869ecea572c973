export const keyPath = (id: string) => `/v1/keys/${encodeURIComponent(id)}`;
