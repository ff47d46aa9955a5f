/*  tree.h - a folder with all that is in it. */
#ifndef RAYC_TREE_H
#define RAYC_TREE_H

/*  Removes `name` in the folder `dir`, without following links; what cannot be removed stays. */
void remove_tree(int dir, const char *name);
#endif
