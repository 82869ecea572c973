:- module(queens, [queens/2]).

queens(N, Queens) :- numlist(1, N, Rows), permutation(Rows, Queens), safe(Queens).

safe([]).
safe([Queen|Others]) :- free(Queen, Others, 1), safe(Others).

free(_, [], _).
free(Queen, [Other|Others], Distance) :-
    abs(Queen - Other) =\= Distance,
    Next is Distance + 1,
    free(Queen, Others, Next).
