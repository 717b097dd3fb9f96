import { describe, expect, it } from 'vitest';
import { errcodeLabel, methodLabel, pushTypeLabel } from './metric-labels.js';

describe('a label', () => {
  it.each([
    ['component_verify_ticket', 'component_verify_ticket'],
    ['notify_3rd_wxa_auth', 'notify_3rd_wxa_auth'],
    ['text', 'text'],
    ['event', 'event'],
    ['unverified', 'unverified'],
    ['Text', 'other'],
    ['text ', 'other'],
    ['constructor', 'other'],
    ['__proto__', 'other'],
    ['made_up_4711', 'other'],
    ['', 'other'],
  ])('of a push of the type %j is %s', (type, label) => {
    expect(pushTypeLabel(type)).toBe(label);
  });

  it.each([
    ['GET', 'GET'],
    ['PROPFIND', 'other'],
    ['M-SEARCH', 'other'],
    ['get', 'other'],
  ])('of the method %s is %s', (method, label) => {
    expect(methodLabel(method)).toBe(label);
  });

  it.each([
    ['ok', 'ok'],
    ['network', 'network'],
    ['40001', '40001'],
    ['-1', '-1'],
    ['45015', '45015'],
    ['99999', 'other'],
    ['040001', 'other'],
    ['4e4', 'other'],
  ])('of the errcode %s is %s', (errcode, label) => {
    expect(errcodeLabel(errcode)).toBe(label);
  });
});
