import { board } from '../common/notice.js';

/** Where the presenter's endpoint is told. */
export const presenter = board('/one2many/presenter', 'Somebody else is presenting. Choose Watch instead.');
