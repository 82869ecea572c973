// The gateway's schemas need what this adds, and it is added only to schemas that are made after it. Files that share a process may make
// theirs first.
import '@hono/zod-openapi';
