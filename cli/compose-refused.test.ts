import { describe, expect, test } from 'vitest';
import { shop, withFields } from './compose.kit.ts';

const AT = 'error spec.template.spec.containers[0]';

describe('what compose cannot do is refused at its place', () => {
  test.each([
    [
      'a volume of a ConfigMap',
      `${withFields('volumeMounts: [{ name: v, mountPath: /v }]')}\nvolumes: [{ name: v, configMap: { name: x } }]`,
      'error spec.template.spec.volumes[0]: expected emptyDir, got configMap',
    ],
    [
      'a volume that is not there',
      withFields('volumeMounts: [{ name: v, mountPath: /v }]'),
      `${AT}.volumeMounts[0].name: expected a volume of the pod`,
    ],
    [
      'part of a volume',
      `${withFields('volumeMounts: [{ name: v, mountPath: /v, subPath: x }]')}\nvolumes: [{ name: v, emptyDir: {} }]`,
      `${AT}.volumeMounts[0].subPath: cannot be said`,
    ],
    [
      'a path with options in it',
      `${withFields('volumeMounts: [{ name: v, mountPath: "/v:exec" }]')}\nvolumes: [{ name: v, emptyDir: {} }]`,
      `${AT}.volumeMounts[0]: expected the name of a volume`,
    ],
    [
      'volumes that are no list',
      `${withFields('volumeMounts: 7')}\nvolumes: yes`,
      'error spec.template.spec.volumes: expected a list',
    ],
    [
      'the proxy’s user',
      withFields('securityContext: { runAsUser: 1337 }'),
      `${AT}.securityContext.runAsUser: expected another id than 1337`,
    ],
    [
      'the proxy’s group',
      withFields('securityContext: { runAsUser: 1, runAsGroup: 1337 }'),
      `${AT}.securityContext.runAsGroup: expected another id than 1337`,
    ],
    [
      'a user that is none',
      withFields('securityContext: { runAsUser: root }'),
      `${AT}.securityContext.runAsUser: expected a number, got root`,
    ],
    [
      'a group alone',
      withFields('securityContext: { runAsGroup: 1 }'),
      `${AT}.securityContext.runAsGroup: expected runAsUser`,
    ],
    [
      'NET_ADMIN',
      withFields('securityContext: { capabilities: { add: [NET_ADMIN] } }'),
      `${AT}.securityContext.capabilities.add: expected no NET_ADMIN`,
    ],
    [
      'privileged',
      withFields('securityContext: { privileged: true }'),
      `${AT}.securityContext.privileged: expected false`,
    ],
    ['a context that is none', withFields('securityContext: 7'), `${AT}.securityContext: expected a mapping`],
    [
      'an amount that is none',
      withFields('resources: { limits: { memory: much } }'),
      `${AT}.resources.limits.memory: expected an amount`,
    ],
    [
      'a field not known before',
      withFields('env: [{ name: IP, valueFrom: { fieldRef: { fieldPath: status.podIP } } }]'),
      `${AT}.env[0].valueFrom.fieldRef.fieldPath: expected one of`,
    ],
    [
      'all keys of a Secret elsewhere',
      withFields('envFrom: [{ secretRef: { name: x } }]'),
      `${AT}.envFrom[0]: expected Secret x in one of the files`,
    ],
    [
      'two values by one name',
      withFields(
        'env: [{ name: A, valueFrom: { secretKeyRef: { name: a-b, key: c } } }, { name: B, valueFrom: { secretKeyRef: { name: a, key: b-c } } }]',
      ),
      `${AT}.env[1].valueFrom.secretKeyRef: would be \${A_B_C}`,
    ],
    [
      'a key that is more than one',
      withFields('env: [{ name: A, valueFrom: { secretKeyRef: { name: a, key: "x}$(y)" } } }]'),
      `${AT}.env[0].valueFrom.secretKeyRef.key: expected letters`,
    ],
    [
      'a port that has no name',
      withFields('readinessProbe: { tcpSocket: { port: web } }'),
      `${AT}.readinessProbe.tcpSocket.port: expected a port`,
    ],
    ['a gateway', 'containers: [{ name: shop, image: auto }]', `${AT}: is a gateway`],
    [
      'a sidecar alone',
      'containers: [{ name: istio-proxy, image: x }]',
      'error spec.template.spec.containers: expected a container besides',
    ],
  ])('%s', (_, spec, error) => {
    expect(shop(spec).said.filter((line) => line.startsWith('error'))[0]).toContain(error);
  });

  test('TPROXY, and interfaces that are none', () => {
    const at = 'error spec.template.metadata.annotations';
    const said = (annotations: string): readonly string[] => shop(withFields(''), { annotations }).said;
    expect(said('sidecar.istio.io/interceptionMode: TPROXY')).toEqual([
      `${at}[sidecar.istio.io/interceptionMode]: only REDIRECT can be set, got "TPROXY"`,
    ]);
    expect(said('traffic.sidecar.istio.io/excludeInterfaces: "a b"')[0]).toContain('expected network interfaces');
  });
});
