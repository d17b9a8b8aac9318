/* A turn: work that must be done in car order, by whichever thread holds the car. */
#ifndef BX_PIPE_TURN_H
#define BX_PIPE_TURN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Bound: none is needed, each waiter holds a car. Ends by stop, which wakes everybody. */
struct bx_turn {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	uint64_t next;
	bool stopped;
};

bool bx_turn_init(struct bx_turn *turn);
void bx_turn_free(struct bx_turn *turn);

/* Waits until it is `seq`'s turn. False: the run was stopped; the turn is not held. */
bool bx_turn_enter(struct bx_turn *turn, uint64_t seq);
void bx_turn_leave(struct bx_turn *turn);
void bx_turn_stop(struct bx_turn *turn);

#endif
