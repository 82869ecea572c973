.read schema.sql
WITH RECURSIVE boss(name, level) AS (
  SELECT name, 0 FROM staff WHERE chief IS NULL
  UNION ALL
  SELECT staff.name, boss.level + 1 FROM staff JOIN boss ON staff.chief = boss.name
  ORDER BY 2 DESC, 1
)
SELECT printf('%s%s', substr('........', 1, level * 2), name) FROM boss;
SELECT json_group_object(chief, n) FROM (SELECT chief, count(*) n FROM staff WHERE chief IS NOT NULL GROUP BY chief);
