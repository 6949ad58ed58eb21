-- Parts that `yutang warehouse move` has carried into this warehouse; empty before and after a move.
CREATE TABLE moved (part VARCHAR, rows BIGINT);
