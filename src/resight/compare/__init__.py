"""Looking closely at two photos: keypoints, geometric check, match lines. Still to be built."""
