"""Temporary."""
import threading
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
_local = threading.local()
class Picture:
    def __init__(self, frame, turns=0):
        self.frame=frame; self.turns=turns
        self.height,self.width=frame.height,frame.width
    @classmethod
    def from_rgb(cls,a): return cls(VideoFrame.from_ndarray(np.ascontiguousarray(a),format='rgb24'))
    def resized(self,h,w): return self.scaled(h,w)
    def region(self,l,t,r,b): return self.rgb()[t:b,l:r]
    def scaled(self,h,w):
        f=self.frame
        if not hasattr(_local,'r'): _local.r={}
        def r(key): return _local.r.setdefault(key,VideoReformatter())
        if f.format.name=='yuv420p':
            f=r((f.width,f.height,w,h,1)).reformat(f,width=w,height=h,format='yuv420p',interpolation='AREA')
            f=r((w,h,2)).reformat(f,format='rgb24')
        else: f=r((f.width,f.height,w,h)).reformat(f,width=w,height=h,format='rgb24',interpolation='AREA')
        return f.to_ndarray()
    def rgb(self): return self.frame.to_ndarray(format='rgb24')
