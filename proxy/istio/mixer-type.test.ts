import { describe, expect, test } from 'vitest';
import { readTyped } from './mixer-type.ts';

const read = (text: string): string => {
  const typed = readTyped(text);
  return typed.ok ? typed.type : `${typed.at}: ${typed.message}`;
};

describe("types of Mixer's expressions", () => {
  test.each([
    ['source.service | "unknown"', 'string'],
    ['response.code | 0', 'int'],
    ['response.duration | "0ms"', 'duration'],
    ['"1s" == response.duration', 'bool'],
    ['request.headers["x"] | "none"', 'string'],
    ['0.5', 'double'],
    ['conditional(context.protocol == "tcp", connection.duration, response.duration)', 'duration'],
    ['source.name + "/" + source.namespace', 'string'],
    ['match(request.path, "/api*") && "^a".matches(request.host) || !request.path.startsWith("/")', 'bool'],
    ['source.ip == ip("10.0.0.1")', 'bool'],
    ['request.time == timestamp("2017-09-21T04:33:31Z")', 'bool'],
    ['size(toLower(request.path))', 'int'],
    ['source.labels', 'map'],
  ])('%s: %s', (text, type) => expect(read(text)).toBe(type));

  test.each([
    ['respons.code', '0: expected an attribute of Istio 1.0, got "respons.code"; did you mean response.code'],
    ['a | "x"', '0: expected an attribute of Istio 1.0, got "a"'],
    ['response.code | "none"', '16: expected a whole number as on the left, got a text'],
    ['response.duration | "soon"', '20: expected a duration as on the left, got a text'],
    ['response.code && true', '0: expected a condition, got a whole number'],
    ['source.user["x"]', '0: expected a map (an entry of it is written with ["key"]), got a text'],
    ['match(request.path)', '0: expected 2 values for match(), got 1'],
    ['match(request.path, request.host)', '20: expected a text in quotes'],
    ['"(".matches(request.path)', '0: expected a regular expression, got "("'],
    ['timestamp("today")', '10: expected a time such as "2017-09-21T04:33:31Z", got "today"'],
    ['toUpper(request.path)', /^0: expected a function such as match, .* got toUpper\(\)$/],
    ['constructor(request.path)', /^0: expected a function such as match, .* got constructor\(\)$/],
    ['request.path +', /^14: expected an attribute, a literal or "\("/],
  ])('%s: says where and why not', (text, told) => {
    if (typeof told === 'string') expect(read(text)).toBe(told);
    else expect(read(text)).toMatch(told);
  });
});
