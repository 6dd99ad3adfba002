// The notice board of one2many: one presenter at a time, and a presenter whose
// page is gone does not block the next one.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { NoticeBoard } from '../../examples/board.mjs';

let now;
let board;
beforeEach(() => {
  now = 0;
  board = new NoticeBoard(() => now);
});

test('nobody presents at first', () => {
  assert.equal(board.current(), null);
});

test('the first to announce presents, a second one is refused', () => {
  assert.equal(board.announce('first'), true);
  assert.equal(board.announce('second'), false);
  assert.deepEqual(board.current(), { object: 'first' });
});

test('a notice lives as long as it is renewed', () => {
  board.announce('first');
  now += 9_000;
  assert.equal(board.announce('first'), true);
  now += 9_000;
  assert.deepEqual(board.current(), { object: 'first' });
  now += 1_000;
  assert.equal(board.current(), null);
  assert.equal(board.announce('second'), true);
});

test('only the presenter can take the notice down', () => {
  board.announce('first');
  board.withdraw('other');
  assert.deepEqual(board.current(), { object: 'first' });
  board.withdraw('first');
  assert.equal(board.current(), null);
});
