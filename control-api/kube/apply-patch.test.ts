import { afterEach, describe, expect, test } from 'vitest';
import { apply, call, start, stopAll, VS, vs, type Answer } from '../server.kit.ts';

afterEach(stopAll);

describe('server-side apply', () => {
  const deployment = (containers: object[]): Record<string, unknown> & { metadata: { name: string } } => {
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers } };
    const spec = { selector: { matchLabels: { app: 'web' } }, template };
    return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec };
  };
  const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';

  test('creates, and applying the same again changes nothing', async () => {
    const api = await start();
    const first = await apply(api, vs('reviews'), 'fieldManager=me');
    expect(first.status).toBe(201);
    const again = await apply(api, vs('reviews'), 'fieldManager=me');
    expect(again.status).toBe(200);
    expect(again.body.metadata).toEqual(first.body.metadata);
    expect(first.body.metadata.managedFields).toMatchObject([
      {
        manager: 'me',
        operation: 'Apply',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:spec': { 'f:hosts': {}, 'f:http': {} } },
      },
    ]);
  });

  test('a field that another manager set to something else is a conflict, each named; force takes it over', async () => {
    const api = await start();
    await call(api, 'POST', `${VS}?fieldManager=other`, vs('reviews'));
    const { status, body } = await apply(api, vs('reviews', 'v2'), 'fieldManager=me');
    expect(status).toBe(409);
    expect(body.details.causes).toEqual([
      {
        reason: 'FieldManagerConflict',
        message: 'conflict with "other" using networking.istio.io/v1',
        field: '.spec.http',
      },
    ]);
    const forced = await apply(api, vs('reviews', 'v2'), 'fieldManager=me&force=true');
    expect(forced.status).toBe(200);
    const owners = Object.fromEntries(
      forced.body.metadata.managedFields.map((m: { manager: string; fieldsV1: object }) => [m.manager, m.fieldsV1]),
    );
    expect(owners).toEqual({
      other: { 'f:spec': { 'f:hosts': {} } },
      me: { 'f:spec': { 'f:hosts': {}, 'f:http': {} } },
    });
  });

  test('a field that is no longer applied goes, unless someone else has it too', async () => {
    const api = await start();
    const labelled = (labels: object): { metadata: { name: string } } => vs('reviews', 'v1', { labels }) as never;
    await apply(api, labelled({ mine: '1', ours: '2' }), 'fieldManager=me');
    await apply(api, { ...(labelled({ ours: '2' }) as object), spec: undefined } as never, 'fieldManager=you');
    const { body } = await apply(api, labelled({}), 'fieldManager=me');
    expect(body.metadata.labels).toEqual({ ours: '2' });
  });

  test('items of keyed lists belong to whoever applied them', async () => {
    const api = await start();
    await apply(api, deployment([{ name: 'web', image: 'w:1' }]), 'fieldManager=app', DEPLOYMENTS);
    await apply(api, deployment([{ name: 'side', image: 's:1' }]), 'fieldManager=mesh', DEPLOYMENTS);
    await apply(api, deployment([{ name: 'web', image: 'w:2' }]), 'fieldManager=app', DEPLOYMENTS);
    const images = (body: Answer['body']): string[] =>
      body.spec.template.spec.containers.map((c: { image: string }) => c.image);
    expect(images((await call(api, 'GET', `${DEPLOYMENTS}/web`)).body)).toEqual(['w:2', 's:1']);
    const { body } = await apply(api, deployment([{ name: 'other', image: 'o' }]), 'fieldManager=mesh', DEPLOYMENTS);
    expect(images(body)).toEqual(['w:2', 'o']);
  });

  test('without a field manager it is refused', async () => {
    const api = await start();
    expect((await apply(api, vs('reviews'), '')).body.message).toMatch(/fieldManager: Required value/);
  });
});
