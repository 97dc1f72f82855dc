"""Bias towards a group of people in CLIP's joint space and in pictures: how much there is, which features carry it, what removes it.

`skew`, `people`, `removal`, `groups` and `detection` know vectors and groups, of the world or of anyone's own pictures; `trial` makes
them from the world; `pictures` is what a page needs to draw occupations with and without the features of a class.
"""
