/*  holders.h - the SQL of who holds which object, for rayc's views and Ray's.  Object v, holder h: a row for each holder, and
    one, with h.kind NULL, for an object that stays without one.

    A session holds what its tasks return; what a task of it has put, or submitted, is that task's, or its actor's.  Tasks
    that have not ended hold their arguments, and what these have inside. */
#ifndef RAYC_HOLDERS_H
#define RAYC_HOLDERS_H

/* clang-format off */
#define LIVING_OBJECTS "(SELECT * FROM objects WHERE stored_state<6) v"

#define HELD(kind, by_type, by, task, idx) "SELECT " task " AS task," idx " AS idx,'" kind "' AS kind," by_type " AS by_type," by " AS by"
#define UNENDED "session s CROSS JOIN task w ON w.id BETWEEN (s.id<<40)+coalesce(s.low,0) AND (s.id<<40)+1099511627775 AND w.state<5"
#define ACTOR_OF "iif(p.actor>0,p.actor,iif((SELECT kind FROM spec WHERE id=p.spec)=5,p.id,0))"
#define HOLDERS \
    LIVING_OBJECTS " LEFT JOIN (" \
    HELD("LOCAL_REFERENCE", \
         "CASE WHEN p.id IS NULL THEN iif(s.nested,'WORKER','DRIVER') WHEN " ACTOR_OF ">0 THEN 'ACTOR' ELSE 'TASK' END", \
         "CASE WHEN p.id IS NULL THEN s.id ELSE coalesce(nullif(" ACTOR_OF ",0),p.id) END", "o.task", "o.idx") \
    " FROM object o JOIN session s ON s.id=o.task>>40 LEFT JOIN task t ON t.id=o.task LEFT JOIN task p ON p.id=t.parent" \
    " WHERE o.state<6 AND o.owned" \
    " UNION ALL " \
    HELD("LOCAL_REFERENCE", "iif(s.nested,'WORKER','DRIVER')", "s.id", "o.task", "o.idx") \
    " FROM hold o JOIN session s ON s.id=o.session" \
    " UNION ALL " \
    HELD("USED_BY_PENDING_TASK", "'TASK'", "w.id", "o.task", "o.idx") \
    " FROM " UNENDED " JOIN json_each(ids_json(w.deps)) d JOIN object o ON o.task=d.value AND o.state<6 WHERE length(w.deps)>0" \
    " UNION ALL " \
    HELD("USED_BY_PENDING_TASK", "'TASK'", "o.task", "d.value->>0", "d.value->>1") \
    " FROM object o JOIN task w ON w.id=o.task AND w.state<5 JOIN json_each(objects_json(o.inside)) d WHERE o.idx=4294967295 AND o.state<6" \
    " UNION ALL " \
    HELD("CAPTURED_IN_OBJECT", "'OBJECT'", "printf('%016x%04x',o.task,o.idx)", "d.value->>0", "d.value->>1") \
    " FROM object o JOIN json_each(objects_json(o.inside)) d WHERE o.idx<4294967295 AND o.state<6 AND o.inside IS NOT NULL" \
    " UNION ALL " \
    HELD("CAPTURED_IN_OBJECT", "'ACTOR'", "a.id", "d.value->>0", "d.value->>1") \
    " FROM actor a JOIN json_each(objects_json(a.inside)) d WHERE a.cause=0 AND a.inside IS NOT NULL" \
    ") h ON h.task=v.id AND h.idx=v.\"index\""
/* clang-format on */
#endif
