-- Orders that fresh events speak of, as they now stand: what stood and what is new, in whatever order they came.
--
-- Every column is a commutative aggregate, so an order is a function of the set of its events: the earliest
-- `order.placed` counts (the larger amount of two at one instant), the latest `order.corrected`, every
-- `order.refunded`, any `order.cancelled`. Its lines are those revised last (`lines_at`). Functions of their order are
-- only `strayed`, whether another was ever taken for its person (its earlier events name that one), and `arrival`, the
-- next number for whoever has none. `unsettled_at`, no column of orders, is the revision of lines told before that must
-- learn of what changes here.
-- THE definition of net spend: nothing for a cancelled order, else its corrected or placed amount less what was
-- refunded; null while only a refund or payment is known of it.
-- THE definition of margin: what of the net amount falls to lines whose cost is known (`costed`, by what lines charge),
-- less the cost of what was kept: goods of which a share was refunded are taken to be back, so their cost falls by that
-- share. Both are null, not 0, where no line has a cost. (Half a cent goes up by floor: by itself, round sends it up on
-- DuckDB and to the even cent on ClickHouse.)
CREATE TEMP TABLE order_changes AS
WITH parts AS (
    SELECT
        source, order_id, person, store, placed_at, placed_amount, corrected_amount, corrected_at, refunded_amount,
        cancelled_at, paid_at, lines_at, discount, lines_amount, cost, uncosted, currency, synthetic,
        coalesce(strayed, FALSE) AS strayed, CASE WHEN placed_at IS NOT NULL THEN coalesce(person, 0) END AS person_before,
        arrival, lines_at AS lines_before, person AS told_person, store AS told_store, placed_at AS told_placed,
        cancelled_at AS told_cancelled
    FROM orders
    WHERE EXISTS (SELECT 1 FROM fresh WHERE fresh.source = orders.source AND fresh.order_id = orders.order_id)
    UNION ALL
    SELECT
        source, order_id, person, store,
        CASE WHEN type = 'order.placed' THEN occurred_at END,
        CASE WHEN type = 'order.placed' THEN amount END,
        CASE WHEN type = 'order.corrected' THEN amount END,
        CASE WHEN type = 'order.corrected' THEN occurred_at END,
        CASE WHEN type = 'order.refunded' THEN amount ELSE 0 END,
        CASE WHEN type = 'order.cancelled' THEN occurred_at END,
        CASE WHEN type = 'order.paid' THEN occurred_at END,
        CASE WHEN has_lines THEN occurred_at END,
        CASE WHEN has_lines THEN discount END,
        lines_amount, cost, uncosted,
        currency, synthetic,
        FALSE AS strayed, CAST(NULL AS BIGINT) AS person_before,
        CAST(NULL AS BIGINT) AS arrival, CAST(NULL AS TIMESTAMP) AS lines_before, CAST(NULL AS BIGINT) AS told_person, CAST(NULL AS BIGINT) AS told_store,
        CAST(NULL AS TIMESTAMP) AS told_placed, CAST(NULL AS TIMESTAMP) AS told_cancelled
    FROM fresh
    WHERE order_id IS NOT NULL
),
marked AS (
    SELECT
        *,
        min(placed_at) OVER own AS first_placed,
        max(corrected_at) OVER own AS last_corrected,
        max(lines_at) OVER own AS last_lines
    FROM parts
    WINDOW own AS (PARTITION BY source, order_id)
),
merged AS (
    SELECT
        source, order_id,
        min(CASE WHEN placed_at = first_placed OR first_placed IS NULL THEN person END) AS person,
        min(CASE WHEN placed_at = first_placed OR first_placed IS NULL THEN store END) AS store,
        min(placed_at) AS placed_at,
        max(CASE WHEN placed_at = first_placed THEN placed_amount END) AS placed_amount,
        max(CASE WHEN corrected_at = last_corrected THEN corrected_amount END) AS corrected_amount,
        max(corrected_at) AS corrected_at,
        sum(refunded_amount) AS refunded_amount,
        min(cancelled_at) AS cancelled_at,
        min(paid_at) AS paid_at,
        max(lines_at) AS lines_at,
        max(CASE WHEN lines_at = last_lines THEN discount END) AS discount,
        sum(CASE WHEN lines_at = last_lines THEN lines_amount END) AS lines_amount,
        sum(CASE WHEN lines_at = last_lines THEN cost END) AS cost,
        sum(CASE WHEN lines_at = last_lines THEN uncosted END) AS uncosted,
        min(currency) AS currency,
        bool_or(synthetic) AS synthetic,
        bool_or(strayed) AS strayed_before,
        max(person_before) AS person_before,
        max(arrival) AS arrival, max(lines_before) AS lines_before, max(told_person) AS told_person, max(told_store) AS told_store,
        max(told_placed) AS told_placed, max(told_cancelled) AS told_cancelled
    FROM marked
    GROUP BY source, order_id
),
netted AS (
    SELECT
        *,
        coalesce(corrected_amount, placed_amount) AS charged,
        CASE WHEN cancelled_at IS NOT NULL THEN 0 ELSE coalesce(corrected_amount, placed_amount) - refunded_amount END
            AS net_amount
    FROM merged
),
shared AS (
    SELECT
        *,
        CASE
            WHEN cost IS NULL OR uncosted = 0 OR net_amount = 0 THEN net_amount
            WHEN uncosted >= lines_amount THEN 0
            ELSE CAST(
                round(floor(net_amount * (1 - ratio(uncosted, lines_amount)) * 100 + 0.5) / 100, 2) AS DECIMAL(18,2)
            )
        END AS told,
        CASE
            WHEN cancelled_at IS NOT NULL OR (net_amount <= 0 AND refunded_amount > 0) THEN 0
            WHEN refunded_amount = 0 THEN cost
            ELSE CAST(round(floor(cost * ratio(net_amount, charged) * 100 + 0.5) / 100, 2) AS DECIMAL(18,2))
        END AS cost_kept
    FROM netted
)
SELECT
    source, order_id, person, store, placed_at, placed_amount, corrected_amount, corrected_at, refunded_amount,
    cancelled_at, paid_at, lines_at, discount, currency, synthetic, net_amount, lines_amount, cost, uncosted,
    CASE WHEN cost IS NOT NULL THEN told END AS costed,
    CASE WHEN cost IS NOT NULL THEN told - cost_kept END AS margin,
    strayed_before OR coalesce(person_before <> coalesce(person, 0), FALSE) AS strayed,
    coalesce(
        arrival,
        -- The last one, not the greatest: that would be looked for in all of them.
        coalesce((SELECT o.arrival FROM orders AS o WHERE o.arrival IS NOT NULL ORDER BY o.arrival DESC LIMIT 1), 0)
            + row_number() OVER (ORDER BY placed_at)
    ) AS arrival,
    CASE
        WHEN person IS DISTINCT FROM told_person OR store IS DISTINCT FROM told_store
            OR placed_at IS DISTINCT FROM told_placed OR lines_at IS DISTINCT FROM lines_before
            OR (cancelled_at IS NULL) <> (told_cancelled IS NULL)
            THEN lines_before
    END AS unsettled_at
FROM shared
