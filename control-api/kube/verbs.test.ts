import { afterEach, describe, expect, test } from 'vitest';
import type { Problem } from '#proxy/istio/problem.ts';
import type { ResourceSet } from '#proxy/istio/resource.ts';
import type { PodRuntime } from '../pod-runtime.ts';
import { call, PODS, start, stopAll, VS, vs } from '../server.kit.ts';

afterEach(stopAll);

describe('writing', () => {
  test('an invalid object is refused whole: every problem at its field, nothing stored', async () => {
    const api = await start();
    const { revision } = api.store;
    const bad = { ...vs('reviews'), spec: { hostz: ['a'], http: [{ route: [{ destination: { host: 7 } }] }] } };
    const { status, body } = await call(api, 'POST', VS, bad);
    expect(status).toBe(422);
    expect(body).toMatchObject({
      kind: 'Status',
      status: 'Failure',
      reason: 'Invalid',
      code: 422,
      details: { name: 'reviews', kind: 'VirtualService' },
    });
    const fields = body.details.causes.map((c: { field: string }) => c.field);
    expect(fields).toEqual(expect.arrayContaining(['spec.hostz', 'spec.http[0].route[0].destination.host']));
    expect(api.store.revision).toBe(revision);
  });

  for (const { it, method = 'POST', path = VS, body, status, reason, says, type } of [
    {
      it: 'what exists already',
      body: vs('taken'),
      status: 409,
      reason: 'AlreadyExists',
      says: /virtualservices.networking.istio.io "taken" already exists/,
    },
    {
      it: 'a namespace that is not there',
      path: VS.replace('default', 'nowhere'),
      body: vs('x'),
      status: 404,
      reason: 'NotFound',
      says: /namespaces "nowhere" not found/,
    },
    {
      it: 'another namespace in the body than on the path',
      body: vs('x', 'v1', { namespace: 'other' }),
      status: 400,
      reason: 'BadRequest',
      says: /namespace of the provided object/,
    },
    {
      it: 'another kind than on the path',
      body: { ...vs('x'), kind: 'Gateway' },
      status: 400,
      reason: 'BadRequest',
      says: /kind in the data \(Gateway\)/,
    },
    {
      it: 'another version than on the path',
      body: { ...vs('x'), apiVersion: 'networking.istio.io/v1beta1' },
      status: 400,
      reason: 'BadRequest',
      says: /API version in the data/,
    },
    {
      it: 'a resourceVersion on what is created',
      body: vs('x', 'v1', { resourceVersion: '3' }),
      status: 400,
      reason: 'BadRequest',
      says: /resourceVersion should not be set/,
    },
    {
      it: 'an update of an older version',
      method: 'PUT',
      path: `${VS}/taken`,
      body: vs('taken', 'v2', { resourceVersion: '1' }),
      status: 409,
      reason: 'Conflict',
      says: /object has been modified/,
    },
    {
      it: 'an update of another uid',
      method: 'PUT',
      path: `${VS}/taken`,
      body: vs('taken', 'v2', { uid: 'other' }),
      status: 409,
      reason: 'Conflict',
      says: /UID in precondition/,
    },
    {
      it: 'an update of what is not there',
      method: 'PUT',
      path: `${VS}/nobody`,
      body: vs('nobody'),
      status: 404,
      reason: 'NotFound',
      says: /"nobody" not found/,
    },
    {
      it: 'another name in the body than on the path',
      method: 'PUT',
      path: `${VS}/taken`,
      body: vs('other'),
      status: 400,
      reason: 'BadRequest',
      says: /does not match the name on the URL/,
    },
    {
      it: 'a kind that is not served',
      path: '/apis/x.io/v1/namespaces/default/things',
      body: {},
      status: 404,
      reason: 'NotFound',
      says: /could not find the requested resource/,
    },
    {
      it: 'a method that has no meaning there',
      method: 'PUT',
      path: VS,
      body: vs('x'),
      status: 405,
      reason: 'MethodNotAllowed',
      says: /does not allow this method/,
    },
    { it: 'bytes that are no JSON', body: '{"a":', status: 400, reason: 'BadRequest', says: /not valid JSON/ },
    {
      it: 'a list as an object',
      body: [],
      status: 400,
      reason: 'BadRequest',
      says: /expected an object of kind VirtualService/,
    },
    {
      it: 'a body of an unknown type',
      body: 'x',
      type: 'text/plain',
      status: 415,
      reason: 'UnsupportedMediaType',
      says: /text\/plain/,
    },
    {
      it: 'a field named __proto__',
      body: '{"metadata":{"name":"x","labels":{"__proto__":{"a":"b"}}}}',
      status: 400,
      reason: 'BadRequest',
      says: /__proto__/,
    },
    {
      it: 'nesting without an end',
      body: `{"spec":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`,
      status: 400,
      reason: 'BadRequest',
      says: /levels deep/,
    },
    {
      it: 'a body beyond 4 MB',
      body: JSON.stringify({ metadata: { name: 'x', annotations: { a: 'x'.repeat(4_200_000) } } }),
      status: 413,
      reason: 'RequestEntityTooLarge',
      says: /larger than 4194304/,
    },
    {
      it: 'YAML that doubles itself',
      body: `a: &a [x,x]\n${'bcdefghijklmn'
        .split('')
        .map((c, i) => `${c}: &${c} [*${'abcdefghijklm'[i]},*${'abcdefghijklm'[i]},*${'abcdefghijklm'[i]}]`)
        .join('\n')}`,
      type: 'application/yaml',
      status: 400,
      reason: 'BadRequest',
      says: /not valid YAML/,
    },
    {
      it: 'an unknown kind of dry run',
      path: `${VS}?dryRun=Some`,
      body: vs('x'),
      status: 400,
      reason: 'BadRequest',
      says: /dryRun/,
    },
  ] as {
    it: string;
    method?: string;
    path?: string;
    body: unknown;
    status: number;
    reason: string;
    says: RegExp;
    type?: string;
  }[]) {
    test(`refuses ${it}`, async () => {
      const api = await start();
      await call(api, 'POST', VS, vs('taken'));
      const { revision } = api.store;
      const answer = await call(api, method, path, body, type === undefined ? {} : { 'content-type': type });
      expect(answer).toMatchObject({ status, body: { kind: 'Status', reason, code: status } });
      expect(answer.body.message).toMatch(says);
      expect(api.store.revision).toBe(revision);
    });
  }

  for (const [validation, status, warns] of [
    ['', 422, false],
    ['?fieldValidation=Strict', 422, false],
    ['?fieldValidation=Warn', 201, true],
    ['?fieldValidation=Ignore', 201, false],
  ] as const) {
    test(`unknown fields with ${validation === '' ? 'no fieldValidation' : validation}: ${status}`, async () => {
      const api = await start();
      const odd = vs('reviews') as { spec: { http: object[] } };
      const http = [{ ...odd.spec.http[0], tiemout: '1s' }];
      const { headers, ...answer } = await call(api, 'POST', VS + validation, { ...odd, spec: { ...odd.spec, http } });
      expect(answer.status).toBe(status);
      expect(headers.get('warning')?.includes('tiemout') ?? false).toBe(warns);
      if (status === 201) expect(answer.body.spec).toEqual(odd.spec);
    });
  }

  test('a name is made up from generateName', async () => {
    const api = await start();
    const { body } = await call(api, 'POST', VS, { ...vs('x'), metadata: { generateName: 'reviews-' } });
    expect(body.metadata.name).toMatch(/^reviews-[a-z0-9]{5}$/);
  });

  test('a dry run answers what would be, and stores nothing', async () => {
    const api = await start();
    await call(api, 'POST', VS, vs('reviews'));
    const { revision } = api.store;
    const { body } = await call(api, 'PUT', `${VS}/reviews?dryRun=All`, vs('reviews', 'v2'));
    expect(body.spec.http[0].route[0].destination.subset).toBe('v2');
    expect(body.metadata).toMatchObject({ generation: 2, resourceVersion: String(revision) });
    expect(api.store.revision).toBe(revision);
    expect((await call(api, 'DELETE', `${VS}/reviews?dryRun=All`)).status).toBe(200);
    expect((await call(api, 'GET', `${VS}/reviews`)).status).toBe(200);
  });

  test('an object written in one version is read in any other, and is the same object', async () => {
    const api = await start();
    await call(api, 'POST', VS.replace('/v1/', '/v1alpha3/'), {
      ...vs('reviews'),
      apiVersion: 'networking.istio.io/v1alpha3',
    });
    const { body } = await call(api, 'GET', `${VS.replace('/v1/', '/v1beta1/')}/reviews`);
    expect(body.apiVersion).toBe('networking.istio.io/v1beta1');
    const { resourceVersion } = body.metadata;
    const again = await call(api, 'PUT', `${VS}/reviews`, vs('reviews'));
    expect(again.body.metadata.resourceVersion).toBe(resourceVersion);
  });

  test('the status is written through its own path, which writes nothing else', async () => {
    const api = await start();
    await call(api, 'POST', VS, { ...vs('reviews'), status: { made: 'up' } });
    const patch = { spec: { hosts: ['other'] }, status: { validationMessages: [] } };
    const { body } = await call(api, 'PATCH', `${VS}/reviews/status`, patch, {
      'content-type': 'application/merge-patch+json',
    });
    expect(body).toMatchObject({
      spec: { hosts: ['reviews'] },
      status: { validationMessages: [] },
      metadata: { generation: 1 },
    });
    expect(body.status).not.toHaveProperty('made');
    const kept = await call(api, 'PUT', `${VS}/reviews`, vs('reviews', 'v2'));
    expect(kept.body).toMatchObject({ status: { validationMessages: [] }, metadata: { generation: 2 } });
  });

  test('what concerns the object comes as warnings, what concerns others does not', async () => {
    const about = (name: string): Problem => ({
      severity: 'warning',
      code: 'IST0101',
      path: 'spec.http[0]',
      message: 'no subset “v1”\nin it',
      resource: { kind: 'VirtualService', namespace: 'default', name },
    });
    const analyze = (set: ResourceSet): Problem[] =>
      set.list('VirtualService').length > 0 ? [about('reviews'), about('ratings')] : [];
    const api = await start({ analyze });
    const { status, headers } = await call(api, 'POST', VS, vs('reviews'));
    expect(status).toBe(201);
    expect(headers.get('warning')).toBe(String.raw`299 - "IST0101: spec.http[0]: no subset \"v1\" in it"`);
    expect((await call(api, 'GET', '/lateen/v1/analyze')).body.problems).toHaveLength(2);
  });
});

describe('deleting', () => {
  test('an object with a finalizer waits for it', async () => {
    const api = await start();
    await call(api, 'POST', VS, vs('reviews', 'v1', { finalizers: ['lateen/test'] }));
    const { body } = await call(api, 'DELETE', `${VS}/reviews`);
    expect(body.metadata.deletionTimestamp).toMatch(/Z$/);
    await call(
      api,
      'PATCH',
      `${VS}/reviews`,
      { metadata: { finalizers: null } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect((await call(api, 'GET', `${VS}/reviews`)).status).toBe(404);
  });

  test('a collection goes by selector', async () => {
    const api = await start();
    for (const [name, team] of [
      ['a', 'x'],
      ['b', 'y'],
      ['c', 'x'],
    ] as const)
      await call(api, 'POST', VS, vs(name, 'v1', { labels: { team } }));
    await call(api, 'DELETE', `${VS}?labelSelector=team%3Dx`);
    expect(api.store.list('VirtualService').map((r) => r.metadata.name)).toEqual(['b']);
  });

  test('a namespace takes along what is in it; those of the mesh itself stay', async () => {
    const api = await start();
    await call(api, 'POST', '/api/v1/namespaces', { metadata: { name: 'demo' } });
    await call(api, 'POST', VS.replace('default', 'demo'), vs('reviews'));
    expect((await call(api, 'DELETE', '/api/v1/namespaces/demo')).body.status).toBe('Success');
    expect([api.store.list('VirtualService'), api.store.list('ServiceAccount', 'demo')]).toEqual([[], []]);
    expect((await call(api, 'DELETE', '/api/v1/namespaces/default')).status).toBe(403);
  });

  test('preconditions are kept', async () => {
    const api = await start();
    await call(api, 'POST', VS, vs('reviews'));
    const { status, body } = await call(api, 'DELETE', `${VS}/reviews`, { preconditions: { uid: 'other' } });
    expect([status, body.reason]).toEqual([409, 'Conflict']);
  });

  test('a pod that runs is marked, for the runner to end it; without grace it goes at once', async () => {
    const runtime: PodRuntime = { logs: () => null, exec: () => null };
    const api = await start({ runtime });
    const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'a', image: 'i' }] } };
    await call(api, 'POST', PODS, pod);
    const { body } = await call(api, 'DELETE', `${PODS}/p`);
    expect(body.metadata).toMatchObject({ deletionGracePeriodSeconds: 30 });
    await call(api, 'DELETE', `${PODS}/p?gracePeriodSeconds=0`);
    expect(api.store.list('Pod')).toEqual([]);
  });
});

describe('listing', () => {
  test('comes in pages that fit together', async () => {
    const api = await start();
    for (const name of ['a', 'b', 'c', 'd', 'e']) await call(api, 'POST', VS, vs(name));
    const seen: string[] = [];
    let token = '';
    do {
      const { body } = await call(api, 'GET', `${VS}?limit=2&continue=${token}`);
      seen.push(...body.items.map((i: { metadata: { name: string } }) => i.metadata.name));
      token = body.metadata.continue ?? '';
    } while (token !== '');
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect((await call(api, 'GET', `${VS}?limit=2`)).body.metadata.remainingItemCount).toBe(3);
    expect((await call(api, 'GET', `${VS}?continue=bogus`)).status).toBe(400);
  });

  test('gives metadata alone when asked, and refuses what it cannot give', async () => {
    const api = await start();
    await call(api, 'POST', VS, vs('a'));
    const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
    const { body } = await call(api, 'GET', VS, undefined, { accept });
    expect(body).toMatchObject({
      kind: 'PartialObjectMetadataList',
      items: [{ kind: 'PartialObjectMetadata', metadata: { name: 'a' } }],
    });
    expect(body.items[0]).not.toHaveProperty('spec');
    expect((await call(api, 'GET', VS, undefined, { accept: 'application/vnd.kubernetes.protobuf' })).status).toBe(406);
  });
});
