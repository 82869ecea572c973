import { OpenAPIHono } from '@hono/zod-openapi';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { answerAsProtocol, mountCompat, recognizeProtocol } from './compat/index.ts';
import { mountDocs } from './docs/routes.ts';
import type { Gateway } from './gateway.ts';
import { createMetrics, createRequestMetrics } from './health/metrics.ts';
import { mountHealth } from './health/routes.ts';
import { authenticate } from './http/auth.ts';
import { compressLarge } from './http/compress.ts';
import type { GatewayEnv } from './http/context.ts';
import {
  answerError,
  answerUnknownRoute,
  answerWrongMethod,
  unknownRoute,
  wrongMethod,
} from './http/errors.ts';
import type { App } from './http/mount.ts';
import { observe } from './http/observe.ts';
import { mountRegistries } from './images/registries.ts';
import { mountImages } from './images/routes.ts';
import { mountKeys } from './keys/routes.ts';
import { mountLanguages } from './languages/routes.ts';
import { mountRuns } from './runs/routes.ts';
import { mountServices } from './services/routes.ts';
import { mountVolumes } from './services/volumes.ts';
import { callbackDocument } from './webhooks/callback.ts';
import { mountDeliveries } from './webhooks/deliveries.ts';
import { mountEvents } from './webhooks/events.ts';
import { mountWebhooks } from './webhooks/routes.ts';
import { mountWorkers } from './workers/routes.ts';

/** All routes with their middleware. Each gets the gateway as the parts that its type names. */
export function createApp(gateway: Gateway): App {
  const app: App = new OpenAPIHono<GatewayEnv>();
  const requests = createRequestMetrics();
  app.use(observe(gateway.log, requests.count));
  app.use(compressLarge);
  app.use(recognizeProtocol(gateway));
  app.use(authenticate(gateway.keyring));
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, allowed) =>
        answerAsProtocol(wrongMethod(c, allowed), c) ?? answerWrongMethod(c, allowed),
    }),
  );
  app.onError((error, c) => answerAsProtocol(error, c) ?? answerError(error, c));
  app.notFound((c) => answerAsProtocol(unknownRoute(c), c) ?? answerUnknownRoute(c));
  app.openAPIRegistry.registerWebhook(callbackDocument);
  mountRuns(app, gateway);
  mountLanguages(app);
  mountImages(app, gateway);
  mountRegistries(app, gateway);
  mountWebhooks(app, gateway);
  mountDeliveries(app, gateway);
  mountEvents(app, gateway);
  mountServices(app, gateway);
  mountVolumes(app, gateway);
  mountWorkers(app, gateway);
  mountKeys(app, gateway);
  mountHealth(app, gateway, createMetrics(gateway, requests.registry));
  mountDocs(app, gateway);
  mountCompat(app, gateway);
  return app;
}
